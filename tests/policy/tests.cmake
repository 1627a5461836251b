ckpt_test(policy DEPENDS validator/policy)
