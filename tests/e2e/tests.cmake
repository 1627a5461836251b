ckpt_test(e2e DEPENDS validator/pipeline)
