#include "admin/admin.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    server_set_admin(admin_request, admin_judge);
    server_set_lifecycle(admin_lifecycle);
    return cli_main(argc, argv);
}
