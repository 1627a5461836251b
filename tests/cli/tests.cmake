find_package(nlohmann_json REQUIRED)
ckpt_test(cli DEPENDS validator/base validator/policy LIBRARIES nlohmann_json::nlohmann_json)
add_dependencies(test_cli ckpt-check)
target_compile_definitions(test_cli PRIVATE CKPT_BINARY="$<TARGET_FILE:ckpt-check>")
