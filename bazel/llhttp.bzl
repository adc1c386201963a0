"""Repository rule: llhttp, compiled from the sources that Debian's node-llhttp installs."""

_BUILD = """
cc_library(
    name = "llhttp",
    srcs = ["api.c", "http.c", "llhttp.c"],
    hdrs = glob(["include/**/*.h"]),
    copts = ["-w", "-O2"],
    includes = ["include"],
    local_defines = ["LLHTTP_STRICT_MODE=1"],
    visibility = ["//visibility:public"],
)
"""

def _llhttp_impl(ctx):
    source = ctx.path("/usr/share/llhttp")
    if not source.exists:
        fail("/usr/share/llhttp is missing: install node-llhttp")
    for name in ["api.c", "http.c", "llhttp.c"]:
        ctx.symlink("/usr/share/llhttp/" + name, name)
    ctx.symlink("/usr/share/include/llhttp", "include")
    ctx.file("BUILD", _BUILD)

llhttp = repository_rule(
    implementation = _llhttp_impl,
    configure = True,
    local = True,
)
