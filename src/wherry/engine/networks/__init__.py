"""Networks: made, shown, connected, removed; who is in them and who has which address.

What a network does to packets is in `wherry.network`; here is what it is to the user.
"""
