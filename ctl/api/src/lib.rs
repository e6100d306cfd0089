//! ctl/api
