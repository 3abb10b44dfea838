"""The member service: who the guests are and which cards they show.

It owns members, cards, consents and tiers. It promises that one mobile is one member, that a card
number is never guessed by counting, and that personal data is readable only with the key ring. It
never publishes, logs or remembers a name, a mobile, an e-mail, a birthday or a card number, and
knows nothing of points, coupons or money.
"""
