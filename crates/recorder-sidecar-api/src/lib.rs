//! The words of the HTTP boundary: routes, media types, headers, wire types, problem codes, metrics, and what is audited.
//!
//! The server, the generator of the contract and clients read the same tables, so that what is served is what is
//! published. Deliberately absent: sockets, and whatever a request does.

pub mod audit;
pub mod control_plane;
pub mod header;
pub mod identity;
pub mod media;
pub mod metric;
pub mod parameter;
pub mod problem;
pub mod route;
pub mod wire;
