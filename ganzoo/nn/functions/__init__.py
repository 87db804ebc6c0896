"""The code behind the vocabulary of losses: pure functions of tensors, batch first.

What each is called, its formula and its source stand in `ganzoo.spec.vocabulary`.
"""
