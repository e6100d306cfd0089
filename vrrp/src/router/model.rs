//! Every run of two and of three routers within a bound, searched exhaustively by `stateright`: which packet is lost, in which
//! order they arrive, who dies, freezes, returns, is asked to leave, and when. A run that breaks a property is printed step by step.

mod properties;
mod world;
