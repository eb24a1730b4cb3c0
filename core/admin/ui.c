/* The dashboard at /: files without secrets, so they need no token; what they ask for does. */
#include "admin/ui.h"
#include "admin/admin.h"
#include "base/str.h"

static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                             "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void put(struct admin_call *call, const struct ui_file *file, const char *type)
{
    const hb_header headers[] = {
        {HB_STR("content-type"), str_of(type)},
        {HB_STR("cache-control"), HB_STR("no-cache")},
        {HB_STR("content-security-policy"), str_of(policy)},
        {HB_STR("x-content-type-options"), HB_STR("nosniff")},
        {HB_STR("x-frame-options"), HB_STR("DENY")},
        {HB_STR("referrer-policy"), HB_STR("no-referrer")},
        {HB_STR("cross-origin-opener-policy"), HB_STR("same-origin")},
        {HB_STR("cross-origin-resource-policy"), HB_STR("same-origin")},
    };
    call->control->hub->io->respond(call->req, 200, headers, sizeof(headers) / sizeof(headers[0]),
        (hb_str){(const char *)file->bytes, file->n});
}

static const char *type_of(hb_str name)
{
    if (str_ends(name, HB_STR(".js")))
        return "text/javascript; charset=utf-8";
    if (str_ends(name, HB_STR(".css")))
        return "text/css; charset=utf-8";
    return str_ends(name, HB_STR(".svg")) ? "image/svg+xml" : "text/html; charset=utf-8";
}

void admin_ui(struct admin_call *call)
{
    hb_str name = str_sub(call->req->path, 1, SIZE_MAX);
    if (name.n == 0)
        name = HB_STR("index.html");
    for (size_t i = 0; i < ui_files_n; i++)
        if (str_eq(name, str_of(ui_files[i].name))) {
            put(call, &ui_files[i], type_of(name));
            return;
        }
    admin_error(call, HB_NOT_FOUND, "there is nothing here");
}
