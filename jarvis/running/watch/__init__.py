"""Which jobs are due because files changed or volumes were mounted?"""
