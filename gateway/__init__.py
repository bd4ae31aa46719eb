"""The batch gateway: what happens to a submission, from the first byte to the last confirm.

A new reader's way in: ``pipeline`` (the whole path on one screen), then any stage it names, then ``daemon`` (what is
started, in which order) and ``cli`` (what an operator types).
"""
