"""The rules of STYLE.md that a script can hold: see tests/lint/README.md. Prints each breach."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()
FILE_LINES, FUNCTION_LINES = 450, 70
BANNED = {
    r"\bassert\s*\(": "assert: use CHECK",
    r"\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\(": "unbounded copy",
    r"\b(atoi|atol|atof)\s*\(": "atoi: strtol tells errors",
    r"\b(rand|srand|random)\s*\(\)": "rand: use lib/crypto/random.h",
    r"\b(gmtime|localtime|strtok|strerror)\s*\(": "not thread-safe",
    r"\bgoto\b": "goto",
    r"\b(alloca|__builtin_alloca)\b": "alloca",
}

breaches = []


def breach(path, line, text):
    breaches.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def names():
    """What git knows; without git, as in an unpacked archive, all that lies here."""
    try:
        return subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        return [str(path) for path in found if not path.parts[0].startswith((".git", "bazel-"))]


def tracked(*endings):
    return [ROOT / name for name in names() if name.endswith(endings) and (ROOT / name).is_file()]


def code_of(text):
    """The text with comments and strings blanked, line by line as it was."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))  # noqa: E731
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_text(path, text):
    code = code_of(text)
    is_test = "tests" in path.relative_to(ROOT).parts
    for number, line in enumerate(code.split("\n"), 1):
        if re.search(r"(^|[^:])//", line):
            breach(path, number, "// comment")
        for pattern, why in BANNED.items():
            if re.search(pattern, line):
                breach(path, number, why)
        if "/lib/crypto/" in str(path) and re.search(r"\bmemcmp\s*\(", line) and not is_test:
            breach(path, number, "memcmp in lib/crypto: CRYPTO_memcmp")
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) and "issue" not in line:
            breach(path, number, "TODO without an issue")
    lines = text.count("\n")
    if lines > FILE_LINES and not is_test:
        breach(path, lines, f"{lines} lines: split the file (limit {FILE_LINES})")
    if path.suffix == ".h" and not text.startswith("#pragma once\n"):
        breach(path, 1, "a header begins with #pragma once")


def check_functions(path, text):
    """Length of each function, and that what a file exports begins with the file's first word."""
    lines = code_of(text).split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        if line == "}" and start is not None:
            if number - start - 1 > FUNCTION_LINES:
                breach(path, start, f"function of {number - start - 1} lines (limit {FUNCTION_LINES})")
            head = []
            at = start - 2
            while at >= 0 and lines[at].strip() and not lines[at].startswith(("}", "#")) and \
                    not lines[at].endswith(";"):
                head.insert(0, lines[at].strip())
                at -= 1
            check_exported(path, start, " ".join(head))
            start = None


def check_exported(path, number, head):
    if "static" in head.split() or "tests" in path.relative_to(ROOT).parts:
        return
    name = re.search(r"(\w+)\(", head)
    if name is None or name.group(1) == "main":
        return
    words = {path.stem.split("_")[0], path.parent.name}
    if path.parent.name == "cli":
        words.add("command")
    if name.group(1).split("_")[0] not in words:
        breach(path, number, f"{name.group(1)} is exported, but does not begin with {path.stem.split('_')[0]}_")


def check_unique(paths):
    seen = {}
    for path in paths:
        relative = path.relative_to(ROOT)
        if relative.parts[0] == "tests" or relative.name == "main.c":
            continue
        other = seen.setdefault(relative.name, path)
        if other is not path:
            breach(path, 1, f"the name {relative.name} is also {other.relative_to(ROOT)}")


def check_readmes(paths):
    """Each directory with code has a README that names each file in it."""
    for directory in sorted({path.parent for path in paths}):
        relative = directory.relative_to(ROOT)
        if relative.parts[:2] in {("tests", "unit"), ("tests", "fuzz")}:
            continue
        readme = directory / "README.md"
        if not readme.exists():
            breach(directory, 0, "no README.md")
            continue
        text = readme.read_text(encoding="utf-8")
        for path in sorted(p for p in paths if p.parent == directory):
            if path.name not in text and not (
                    path.suffix == ".h" and f"{path.stem}.c" in text) and f"`{path.stem}`" not in text:
                breach(path, 1, f"{relative}/README.md does not name {path.name}")


def check_format(paths):
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, paths)],
                          stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    for line in done.stderr.split("\n"):
        found = re.match(r"(.*?):(\d+):\d+: error: code should be clang-formatted", line)
        if found:
            breach(Path(found.group(1)), int(found.group(2)), "not formatted (clang-format -i)")


def main():
    paths = tracked(".c", ".h")
    for path in paths:
        text = path.read_text(encoding="utf-8")
        check_text(path, text)
        if path.suffix == ".c":
            check_functions(path, text)
    check_unique(paths)
    check_readmes(paths)
    check_format(paths)
    print("\n".join(sorted(set(breaches))))
    print(f"{len(paths)} files, {len(set(breaches))} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
