use std::net::Ipv4Addr;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const OLD: &[u8] = b"0123456789abcdef0123456789abcdef";
const NEW: &[u8] = b"fedcba9876543210fedcba9876543210";

fn name(node: &str) -> NodeName {
    node.parse().unwrap()
}

fn identity(keys: &[&[u8]], own: &str, other: &str) -> Identity {
    let keys = PairKeys::new(keys.iter().map(|key| key.to_vec()).collect());
    Identity::new(&keys, &name(own), &[name(other)]).unwrap().expect("there are keys")
}

/// Whom the listening node takes the calling one for; the error is what the caller sees.
async fn meet(caller: &Identity, called: &str, listener: &Identity) -> Result<NodeName, String> {
    let (near, far) = duplex(16 * 1024);
    let (client, server) = (caller.client(&name(called)).unwrap(), listener.server().unwrap());
    let accept = async {
        let stream = TlsAcceptor::from(Arc::new(server)).accept(far).await;
        let mut stream = stream.map_err(|error| format!("listener: {error}"))?;
        let node = listener.node_of(stream.get_ref().1.peer_certificates());
        stream.write_all(b"!").await.map_err(|error| error.to_string())?;
        node.ok_or_else(|| "nobody".to_owned())
    };
    let connect = async {
        let anywhere = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut stream = TlsConnector::from(Arc::new(client)).connect(anywhere, near).await?;
        // In TLS 1.3 a caller learns only by the first answer that it was accepted.
        stream.read_u8().await
    };
    let (accepted, connected) = tokio::join!(accept, connect);
    connected.map_err(|error| format!("caller: {error}"))?;
    accepted
}

#[tokio::test]
async fn two_nodes_with_one_key_know_each_other_by_name() {
    let (one, two) = (identity(&[OLD], "lb1", "lb2"), identity(&[OLD], "lb2", "lb1"));
    assert_eq!(meet(&one, "lb2", &two).await, Ok(name("lb1")));
    assert_eq!(meet(&two, "lb1", &one).await, Ok(name("lb2")));
}

#[tokio::test]
async fn every_step_of_a_rotation_lets_the_nodes_meet() {
    let steps: [&[&[u8]]; 4] = [&[OLD], &[OLD, NEW], &[NEW, OLD], &[NEW]];
    for pair in steps.windows(2) {
        let (behind, ahead) = (identity(pair[0], "lb1", "lb2"), identity(pair[1], "lb2", "lb1"));
        assert_eq!(meet(&behind, "lb2", &ahead).await, Ok(name("lb1")));
        assert_eq!(meet(&ahead, "lb1", &behind).await, Ok(name("lb2")));
    }
}

#[tokio::test]
async fn another_key_is_neither_accepted_nor_believed() {
    let (us, stranger) = (identity(&[OLD], "lb1", "lb2"), identity(&[NEW], "lb2", "lb1"));
    meet(&stranger, "lb1", &us).await.unwrap_err();
    meet(&us, "lb2", &stranger).await.unwrap_err();
}

#[tokio::test]
async fn a_node_is_not_taken_for_another_one_nor_for_itself() {
    let (one, two) = (identity(&[OLD], "lb1", "lb2"), identity(&[OLD], "lb2", "lb1"));
    meet(&one, "lb2", &one).await.unwrap_err();
    let third = identity(&[OLD], "lb3", "lb1");
    meet(&third, "lb1", &one).await.unwrap_err();
    drop(two);
}

#[test]
fn without_a_key_there_is_no_identity() {
    assert!(Identity::new(&PairKeys::default(), &name("lb1"), &[name("lb2")]).unwrap().is_none());
}
