package webhdfs

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/colinmarc/hdfs/v2/hadoopconf"
	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// Kerberos says who we are on a cluster with Kerberos. Its zero value means none, unless the configuration of Hadoop demands it
// (hadoop.security.authentication = kerberos); then the credential cache of kinit is used.
type Kerberos struct {
	// Client is a ready-made client; the other fields but ServicePrincipal are not used then.
	Client *client.Client
	// Principal (user@REALM) and the path of its Keytab; or
	Principal, Keytab string
	// CCache is the path of a ticket cache: KRB5CCNAME by default, else /tmp/krb5cc_<uid>.
	CCache string
	// Krb5Conf is the path of krb5.conf: KRB5_CONFIG by default, else /etc/krb5.conf.
	Krb5Conf string
	// ServicePrincipal is that of the namenodes' web interface; HTTP/<host> by default.
	ServicePrincipal string
}

// authenticator proves who we are, in a request to a namenode. Datanodes get a delegation token, which the namenode put into the
// location to which it redirected us.
type authenticator interface {
	authenticate(r *http.Request) error
}

// newAuthenticator returns nil where the user's name is enough.
func newAuthenticator(k Kerberos, conf hadoopconf.HadoopConf) (authenticator, error) {
	named := k.Client != nil || k.Principal != "" || k.Keytab != "" || k.CCache != ""
	if !named && !strings.EqualFold(conf["hadoop.security.authentication"], "kerberos") {
		return nil, nil
	}
	if k.Client == nil {
		c, err := k.newClient()
		if err != nil {
			return nil, err
		}
		k.Client = c
	}
	return &negotiator{client: k.Client, service: k.ServicePrincipal}, nil
}

// newClient reads the files that say who we are.
func (k Kerberos) newClient() (*client.Client, error) {
	path := firstOf(k.Krb5Conf, os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf")
	cfg, err := config.Load(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if k.Keytab != "" {
		name, realm, _ := strings.Cut(k.Principal, "@")
		if name == "" {
			return nil, errors.New("a keytab needs a principal (user@REALM)")
		}
		kt, err := keytab.Load(k.Keytab)
		if err != nil {
			return nil, fmt.Errorf("read the keytab %s: %w", k.Keytab, err)
		}
		return client.NewWithKeytab(name, firstOf(realm, cfg.LibDefaults.DefaultRealm), kt, cfg, client.DisablePAFXFAST(true)), nil
	}
	path = firstOf(k.CCache, strings.TrimPrefix(os.Getenv("KRB5CCNAME"), "FILE:"), "/tmp/krb5cc_"+strconv.Itoa(os.Getuid()))
	cache, err := credentials.LoadCCache(path)
	if err != nil {
		return nil, fmt.Errorf("read the credential cache %s (kinit makes it; or name a keytab): %w", path, err)
	}
	c, err := client.NewFromCCache(cache, cfg, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("use the credential cache %s: %w", path, err)
	}
	return c, nil
}

// firstOf returns the first string that is not empty.
func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// negotiator authenticates by SPNEGO.
type negotiator struct {
	mu      sync.Mutex // the client's login is not made for several at once
	client  *client.Client
	service string
}

// authenticate implements authenticator.
func (n *negotiator) authenticate(r *http.Request) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	service := n.service
	if service == "" {
		service = "HTTP/" + r.URL.Hostname()
	}
	if err := spnego.SetSPNEGOHeader(n.client, r, service); err != nil {
		return fmt.Errorf("get a Kerberos ticket for %s: %w", service, err)
	}
	return nil
}
