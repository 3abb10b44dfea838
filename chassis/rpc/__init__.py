"""gRPC for every service: server, client, errors, batches.

What a service's modules use of it (`chassis/process.py` shows a whole `main.py` and servicer):

- raise `chassis.kernel.refusals.Refusal`; the caller gets google.rpc.Status with its reason;
- `calls.current_call()`: caller, deadline, trace, actor (and the gateway's principal);
  `calls.mark_replayed()` when an answer was remembered;
- `server.Server(settings, [ServiceEntry(...)], ALLOW, health=..., board=process.health)`;
- `client.Channel(target, settings.client_tls(), server="points")`, one per service and process:

      points = Channel(settings.points_target, settings.client_tls(), server="points")
      stub = PointsServiceStub(points.grpc)
      balances = await points.call(stub.GetBalances, request, timeout_seconds=1.0, idempotent=True)
      health = {"points": points.probe}

- many concurrent writes to one RPC go through its `Batch...` form:

      post = Coalescer(batch_call(points, stub.BatchPost, BatchPostRequest), name="BatchPost")
      response = await post.call(PostRequest(...), timeout_seconds=2.0)      # raises Refusal

- the server's side of `Batch...`: `batch.run_batch` and `batch.fill_outcomes`;
- an edge's own authentication: `async def authenticate(context, metadata) -> Identity`, given as
  `Server(..., authenticate=authenticate, known_callers={"merchant"}, tls=...)`; whom the allow-list
  names is `Identity.listed_as`, whom request ids are kept under `Identity.caller`. Such a caller's
  actor metadata is ignored: give `Identity.actor`, which then travels on to the services.

Every call needs a deadline; health and reflection are open. Each RPC is in the allow-list.
"""
