"""The dashboard: what stands where, what is open, waiting, held or wrong, and a few things that one can do about it.

views       what the pages show, from the last report of each repository: plain values, no HTML
access      who may read and who may act
routes      the pages themselves
"""
