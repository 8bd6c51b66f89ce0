"""Which tables hold how this machine was, second by second?"""
