ckpt_test(metrics DEPENDS validator/metrics)
