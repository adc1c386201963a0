#pragma once

/* The table of commands; the row without words ends it. */

#include "cli/cli.h"

extern const struct cli_command cli_commands[];

cli_command_fn command_pki_init, command_pki_issue, command_pki_delegate;
cli_command_fn command_cert_add, command_cert_list, command_cert_remove, command_cert_renew;
cli_command_fn command_shard_create;
cli_command_fn command_account_add, command_account_list;
cli_command_fn command_tenant_create, command_tenant_list;
cli_command_fn command_user_create, command_user_list, command_user_disable;
cli_command_fn command_status;
cli_command_fn command_doctor;
