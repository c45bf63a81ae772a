"""Leave-out truth: does the influence that a method sums up predict what a model trained without some passages does?"""
