"""What is remembered of watched files?"""
