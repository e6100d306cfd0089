// A TLS server as Kubernetes' API server is one: Go's net/http, asking for client certificates without requiring them,
// `/ping` open, `/readyz` for a bearer token. What Go logs about its clients goes to standard error, as in K3s.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

func main() {
	directory := flag.String("directory", "", "where ca.pem and port are written")
	token := flag.String("token", "", "what opens /readyz")
	flag.Parse()

	certificate := signed(filepath.Join(*directory, "ca.pem"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	port := fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(filepath.Join(*directory, "port"), []byte(port), 0o600); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "pong") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+*token {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "ok")
	})
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequestClientCert,
		NextProtos:   []string{"h2", "http/1.1"},
	}}
	log.Fatal(server.ServeTLS(listener, "", ""))
}

// signed makes an authority, writes its certificate to file, and has it sign one for 127.0.0.1.
func signed(file string) tls.Certificate {
	authority, leaf := newKey(), newKey()
	root := template(1)
	root.IsCA = true
	root.KeyUsage = x509.KeyUsageCertSign
	rootDER := sign(root, root, &authority.PublicKey, authority)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		log.Fatal(err)
	}
	server := template(2)
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return tls.Certificate{Certificate: [][]byte{sign(server, root, &leaf.PublicKey, authority)}, PrivateKey: leaf}
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	return key
}

func template(serial int64) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{CommonName: fmt.Sprintf("go-apiserver %d", serial)},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
	}
}

func sign(what, by *x509.Certificate, key *ecdsa.PublicKey, with *ecdsa.PrivateKey) []byte {
	der, err := x509.CreateCertificate(rand.Reader, what, by, key, with)
	if err != nil {
		log.Fatal(err)
	}
	return der
}
