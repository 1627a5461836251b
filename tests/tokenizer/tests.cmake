ckpt_test(tokenizer DEPENDS validator/tokenizer)
