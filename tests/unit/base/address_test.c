/* Addresses as operators write them are understood in one place, and nothing else is. */

#include "lib/base/address.h"

#include "tests/support/cmocka.h"

#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

static int family_and_port(const char *text, uint16_t *ret_port)
{
    struct addrinfo *list = NULL;
    assert_true(status_ok(address_resolve(text, AI_PASSIVE, &list)));
    int family = list->ai_family;
    struct sockaddr_in6 six = {0};
    struct sockaddr_in four = {0};
    if (family == AF_INET6) {
        memcpy(&six, list->ai_addr, sizeof(six));
    } else {
        memcpy(&four, list->ai_addr, sizeof(four));
    }
    *ret_port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
    freeaddrinfo(list);
    return family;
}

static void hosts_of_all_kinds_are_understood(void **state)
{
    (void)state;
    uint16_t port = 0;
    assert_int_equal(family_and_port("127.0.0.1:9000", &port), AF_INET);
    assert_int_equal(port, 9000);
    assert_int_equal(family_and_port("[::1]:1", &port), AF_INET6);
    assert_int_equal(port, 1);
    family_and_port(":65535", &port);
    assert_int_equal(port, 65535);
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'a', sizeof(name));
    memcpy(name + sizeof(name) - 3, ":1", 3);
    const char *bad[] = {"", "localhost", "127.0.0.1:", name, ":", "127.0.0.1:http"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct addrinfo *list = NULL;
        assert_int_equal(address_resolve(bad[i], 0, &list).code, STATUS_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_all_kinds_are_understood),
        cmocka_unit_test(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
