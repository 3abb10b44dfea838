"""Notify turns events into messages and brings each to its guest once.

It owns messages, templates and what providers said of them. It promises one message row for each
event, member, channel and template, however often an event comes, and that a submission is
recorded before it is made. It never keeps a name, a number, an address or a rendered text, and it
never sends what a rule suppresses.
"""
