//! Certificates that a test makes, and what servers and redis-cli are told of them.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate authority, and what it has signed, as files.
pub(crate) struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("kv-client-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let certificates = Self { dir };
        for authority in ["ca", "stranger"] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params
                .distinguished_name
                .push(DnType::CommonName, authority);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let cert = params.self_signed(&key).unwrap();
            certificates.write(&format!("{authority}.pem"), &cert.pem());
            if authority == "ca" {
                let issuer = Issuer::new(params, key);
                certificates.sign("server", "db.example", &issuer);
                certificates.sign("client", "app.example", &issuer);
            }
        }
        certificates
    }

    fn sign(&self, file: &str, name: &str, issuer: &Issuer<'_, KeyPair>) {
        let key = KeyPair::generate().unwrap();
        let names = [name, "127.0.0.1"].map(str::to_owned);
        let cert = {
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.signed_by(&key, issuer).unwrap()
        };
        self.write(&format!("{file}.pem"), &cert.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.dir.join(file), text).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.dir.join(file).to_str().unwrap().to_owned()
    }

    /// What redis-server and redis-sentinel are told.
    pub(crate) fn server_args(&self) -> Vec<String> {
        let files = [
            ("--tls-cert-file", "server.pem"),
            ("--tls-key-file", "server.key"),
            ("--tls-ca-cert-file", "ca.pem"),
        ];
        self.args(&files)
    }

    /// What redis-cli is told.
    pub(crate) fn cli_args(&self) -> Vec<String> {
        let files = [
            ("--cert", "client.pem"),
            ("--key", "client.key"),
            ("--cacert", "ca.pem"),
        ];
        let mut args = self.args(&files);
        args.push("--tls".to_owned());
        args
    }

    fn args(&self, files: &[(&str, &str)]) -> Vec<String> {
        let args = files
            .iter()
            .flat_map(|&(name, file)| [name.to_owned(), self.path(file)]);
        args.collect()
    }

    /// What a client is told.
    pub(crate) fn url_options(&self) -> String {
        let file = |name: &str| self.path(name).replace('/', "%2F");
        let (ca, cert, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
        format!("ca_file={ca}&cert_file={cert}&key_file={key}")
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(file)).unwrap()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
