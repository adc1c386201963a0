#pragma once

/* The version of Triad that this source is. One number for every daemon and the CLI: what runs
 * together is meant to have the same. Told by the status RPCs, by the admin port and by
 * `triad doctor`, which compares them. */

#define TRIAD_VERSION "0.2.0"
