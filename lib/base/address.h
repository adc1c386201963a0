#pragma once

/* Where something listens, as an operator writes it: "host:port", "[v6]:port", ":port" (every
 * address). */

#include "lib/base/status.h"

struct addrinfo;

/* The socket addresses of a text; flags as of getaddrinfo(3), the port is a number. INVALID: the
 * text is not of that form, or its host has no address. May wait for a name server. The caller
 * frees with freeaddrinfo. Any thread. */
struct status address_resolve(const char *text, int flags, struct addrinfo **ret_list);
