// What a pod sees of its cluster, as one line of JSON: on stdout for `kubectl logs`, and in the termination message.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

type seen struct {
	UID           int      `json:"uid"`
	Service       []string `json:"service"`
	Short         []string `json:"short"`
	APIServer     string   `json:"apiServer"`
	RootIsFixed   bool     `json:"rootIsFixed"`
	Scratch       bool     `json:"scratch"`
	MissingSecret bool     `json:"missingSecretIsEmpty"`
	Capabilities  string   `json:"capabilities"`
	Seccomp       string   `json:"seccomp"`
	Peer          string   `json:"peer"`
	Problems      []string `json:"problems"`
}

func (s *seen) note(err error) {
	if err != nil {
		s.Problems = append(s.Problems, err.Error())
	}
}

func status(field string) string {
	content, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(content), "\n") {
		if value, found := strings.CutPrefix(line, field+":"); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func whoAmI() (string, error) {
	const folder = "/var/run/token/"
	token, err := os.ReadFile(folder + "token")
	if err != nil {
		return "", err
	}
	ca, err := os.ReadFile(folder + "ca.crt")
	if err != nil {
		return "", err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	body := `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`
	request, err := http.NewRequest("POST", "https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	var review struct {
		Status struct {
			UserInfo struct {
				Username string `json:"username"`
			} `json:"userInfo"`
		} `json:"status"`
	}
	if err := json.Unmarshal(content, &review); err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}

func serve() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello from the other pod") })
	panic(http.ListenAndServe(":8080", nil))
}

func peer(url string) (string, error) {
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return string(content), err
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve()
	}
	var s seen
	var err error
	s.UID = os.Getuid()
	s.Service, err = net.LookupHost("kubernetes.default.svc.cluster.local")
	s.note(err)
	s.Short, err = net.LookupHost("kubernetes.default")
	s.note(err)
	s.APIServer, err = whoAmI()
	s.note(err)
	s.Peer, err = peer(os.Getenv("PEER"))
	s.note(err)
	s.RootIsFixed = os.WriteFile("/new", nil, 0o600) != nil
	err = os.WriteFile("/scratch/new", []byte("x"), 0o600)
	s.note(err)
	s.Scratch = err == nil
	entries, err := os.ReadDir("/secret")
	s.note(err)
	s.MissingSecret = true
	for _, entry := range entries {
		// The kubelet's own links begin with two dots.
		s.MissingSecret = s.MissingSecret && strings.HasPrefix(entry.Name(), "..")
	}
	s.Capabilities, s.Seccomp = status("CapEff"), status("Seccomp")
	line, _ := json.Marshal(s)
	fmt.Println(string(line))
	if err := os.WriteFile("/dev/termination-log", line, 0o600); err != nil {
		fmt.Println(err)
	}
	os.Exit(75)
}
