# Counts the tests of one or more TAP streams, as our runners and node print them.
# A line at the end: "passed failed skipped", before it one line for each failed or skipped test.
# Only leaves count; a parent counts when it failed though its children passed (a hook that threw).
# A stream may be several in one: "# file: NAME" says whose tests follow.

function indent_of(line) { match(line, /^ */); return RLENGTH }

function forget_children(indent,   i) {
    for (i in broken) if (i + 0 > indent) delete broken[i]
}

function has_broken_child(indent,   i) {
    for (i in broken) if (i + 0 > indent) return 1
    return 0
}

FNR == 1 { file = ""; yaml = 0; planned = -1; forget_children(-1) }
yaml { if ($0 ~ /^ *\.\.\.$/) yaml = 0; next }
/^ *---$/ { yaml = 1; next }
/^# file: / { file = substr($0, 9) ": "; planned = -1; next }
/^ *1\.\.[0-9]+/ { planned = indent_of($0); next }
/^ *Bail out!/ { failed++; print "FAILED " file $0; next }
/^ *(not )?ok( |$)/ {
    indent = indent_of($0)
    name = $0
    sub(/^ *(not )?ok *[0-9]* *(- )?/, "", name)
    bad = $0 ~ /^ *not ok/ && name !~ /# TODO/
    parent = planned > indent
    if (bad && !(parent && has_broken_child(indent))) {
        failed++
        print "FAILED " file name
    } else if (!parent && name ~ /# (SKIP|TODO)/) {
        skipped++
        print "SKIPPED " file name
    } else if (!parent) {
        passed++
    }
    forget_children(indent)
    if (bad) broken[indent] = 1
    planned = -1
}
END { print passed + 0, failed + 0, skipped + 0 }
