ckpt_test(pipeline DEPENDS validator/pipeline validator/results reports)
