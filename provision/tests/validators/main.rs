//! Every rendered file goes through the program that will read it, under every plan and way of the example.
//!
//! A file is right when its validator exits with 0 and writes nothing to standard error. Each validator is shown a wrong file too, which it
//! must refuse: one that accepts everything proves nothing. `tests/setup` installs them; without one of them the test fails and says so.

mod first_boot;
mod host;
mod k3s;
mod libvirt;
mod monitoring;
mod names;
mod nfs;
mod postgresql;
mod time;
mod traefik;
mod units;
mod validator;
mod vpn;
