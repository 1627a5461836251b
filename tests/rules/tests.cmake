ckpt_test(rules DEPENDS validator/rules)
