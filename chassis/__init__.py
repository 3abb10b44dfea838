"""The microservice chassis: everything a service needs that is not loyalty.

It owns serving, storing, messaging and observing. It promises each service the same write path
(`chassis.storage`), the same error vocabulary (`chassis.kernel`) and the same way to be killed at
any moment. It never imports generated contracts or a service.
"""
