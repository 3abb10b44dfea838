"""The rules of messages: which event asks for which, how an SMS is split, what state follows."""
