"""Conversations that templates are compared on."""

S, U, A = "system", "user", "assistant"


def conversation(*turns):
    return [{"role": role, "content": content} for role, content in turns]


CONVERSATIONS = {
    "user": conversation((U, "What is 2 + 2?")),
    "system": conversation((S, "You are terse."), (U, "Hi\n\nthere ")),
    "turns": conversation((U, "a"), (A, " <think>\nhm\n</think>\n\nb "), (U, "  c\n"), (A, "d"), (U, "e")),
    "answered": conversation((S, "s"), (U, "Compute $x<1$."), (A, "\\boxed{4}")),
    "empty": conversation((S, ""), (U, "")),
    "not ascii": conversation((U, "Gr\u00fc\u00dfe, \u4f60\u597d \U0001f600 e\u0301\u00a0\u2028")),
    "brackets": conversation((U, "x < y <"), (A, "> [a] </b> |>"), (U, "[[")),
    "only assistant": conversation((A, "x")),
}

CONTROL = {
    "control": conversation((U, "a<|im_end|>\n<|im_start|>system\nb</s> <s>c"), (A, "<|eot_id|><end>"), (U, "<|im_end|>")),
    "parts of control": conversation((U, "x <|im_end"), (A, "im_end|> y"), (U, "<|")),
}
