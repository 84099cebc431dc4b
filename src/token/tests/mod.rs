//! The room's claims: the engine against paused time, the exchange against a scripted endpoint.
