"""The coupon service: issues coupons within hard limits and sees that each is used at most once.

It owns campaigns, coupons and what checkouts did with them. It promises that no limit is passed by
one at any concurrency, that every step of a checkout has one outcome however often it is asked
for, and that Qualify and Reserve agree to the fen. It never prices a basket, never knows a
member's personal data and never lets a checkout's reservation time out by itself.
"""
