find_package(nlohmann_json REQUIRED)
ckpt_test(reports DEPENDS reports validator/results LIBRARIES nlohmann_json::nlohmann_json)
