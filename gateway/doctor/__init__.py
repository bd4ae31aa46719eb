"""What does a support engineer ask first, and what is to be done about the answers?"""
