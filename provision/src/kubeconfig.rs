//! What of a kubeconfig says where the API is and whom to trust,
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The cluster of the current context.
#[derive(Debug, PartialEq, Eq)]
pub struct Kubeconfig {
    /// The URL of the API.
    pub server: String,
    /// Its CA.
    pub authority: Authority,
}

/// The CA that a kubeconfig trusts.
#[derive(Debug, PartialEq, Eq)]
pub enum Authority {
    /// A file; a relative path is meant from the kubeconfig's own directory.
    File(String),
    /// PEM.
    Inline(Vec<u8>),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    current_context: String,
    #[serde(default)]
    contexts: Vec<NamedContext>,
    #[serde(default)]
    clusters: Vec<NamedCluster>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: Context,
}

#[derive(Deserialize)]
struct Context {
    cluster: String,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
}

/// Reads a kubeconfig.
///
/// # Errors
/// What it does not say, or says wrongly.
pub fn read(text: &str) -> Result<Kubeconfig, String> {
    let document: Document = serde_norway::from_str(text).map_err(|error| error.to_string())?;
    let named = document.contexts.iter().find(|context| context.name == document.current_context);
    let named = named.ok_or("its current-context is none of its contexts")?;
    let cluster = document.clusters.into_iter().find(|cluster| cluster.name == named.context.cluster);
    let Cluster { server, certificate_authority, certificate_authority_data } =
        cluster.ok_or("the cluster of its current context is not in it")?.cluster;
    let authority = match (certificate_authority_data, certificate_authority) {
        (Some(data), _) => {
            Authority::Inline(STANDARD.decode(data).map_err(|error| format!("certificate-authority-data: {error}"))?)
        }
        (None, Some(file)) => Authority::File(file),
        (None, None) => return Err("it names no CA: add certificate-authority".to_owned()),
    };
    Ok(Kubeconfig { server, authority })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authority: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
             contexts: [{{name: lab, context: {{cluster: one, user: admin}}}}]\n\
             clusters:\n- name: one\n  cluster:\n    server: https://192.168.0.32:6443\n    {authority}\n"
        )
    }

    #[test]
    fn the_ca_is_a_file_or_stands_in_it() {
        let server = "https://192.168.0.32:6443".to_owned();
        let file = Authority::File("server-ca.crt".to_owned());
        let read_file = read(&of("certificate-authority: server-ca.crt"));
        assert_eq!(read_file, Ok(Kubeconfig { server: server.clone(), authority: file }));
        let inline = Authority::Inline(b"PEM".to_vec());
        assert_eq!(read(&of("certificate-authority-data: UEVN")), Ok(Kubeconfig { server, authority: inline }));
    }

    #[test]
    fn a_kubeconfig_without_a_ca_or_without_a_context_is_refused() {
        assert!(
            read(&of("insecure-skip-tls-verify: true")).is_err_and(|error| error.contains("certificate-authority"))
        );
        assert!(read("clusters: []").is_err_and(|error| error.contains("current-context")));
    }
}
