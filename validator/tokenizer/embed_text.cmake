# Writes OUTPUT, a C++ source that defines the bytes of INPUT. Run by `cmake -P` at build time.
file(READ ${INPUT} hex HEX)
file(SIZE ${INPUT} size)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
file(WRITE ${OUTPUT}
  "#include <cstddef>\n\nnamespace ckpt::tokenizer {\n\nextern const char kMixedV1[];\n"
  "extern const std::size_t kMixedV1Size;\nconst char kMixedV1[] = {\n${bytes}};\n"
  "const std::size_t kMixedV1Size = ${size};\n\n}  // namespace ckpt::tokenizer\n")
