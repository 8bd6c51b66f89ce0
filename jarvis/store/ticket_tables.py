"""Which tables hold violations that have a life of their own?"""
