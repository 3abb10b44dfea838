"""gRPC in: tills on the partners' port, operators on the admin port."""
