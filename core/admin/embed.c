/* embed FILE…: C source with the files' bytes, for ui.h. Runs when the server is built. */
#include <stdio.h>
#include <string.h>

static int put_bytes(const char *path, int index)
{
    FILE *f = fopen(path, "rb");
    int c, n = 0;
    if (!f) {
        perror(path);
        return 1;
    }
    printf("static const unsigned char file_%d[] = {", index);
    while ((c = getc(f)) != EOF)
        printf("%s%d,", n++ % 32 ? "" : "\n", c);
    printf("0};\n");
    fclose(f);
    return 0;
}

int main(int argc, char **argv)
{
    puts("#include \"admin/ui.h\"");
    for (int i = 1; i < argc; i++)
        if (put_bytes(argv[i], i))
            return 1;
    puts("const struct ui_file ui_files[] = {");
    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        printf("    {\"%s\", file_%d, sizeof(file_%d) - 1},\n", slash ? slash + 1 : argv[i], i, i);
    }
    printf("};\nconst size_t ui_files_n = %d;\n", argc - 1);
    return 0;
}
