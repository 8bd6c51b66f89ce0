"""Which tables hold rules, what a person keeps in mind, and the cache?"""
