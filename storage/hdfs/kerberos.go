package hdfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	hadoop "github.com/colinmarc/hdfs/v2"
	krb "github.com/jcmturner/gokrb5/v8/client"
	krbconfig "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// asked reports whether the caller wants Kerberos.
func (k Kerberos) asked() bool { return k != Kerberos{} }

// login sets up Kerberos in the options of the client library if the caller or the configuration asks for it.
func login(k Kerberos, options *hadoop.ClientOptions, env func(string) string) error {
	if !k.asked() && options.KerberosClient == nil {
		return nil
	}
	client, err := kerberosClient(k, env)
	if err != nil {
		return fmt.Errorf("log in with Kerberos: %w", err)
	}
	options.KerberosClient = client
	if k.ServicePrincipal != "" {
		options.KerberosServicePrincipleName, _, _ = strings.Cut(k.ServicePrincipal, "@")
	}
	if options.KerberosServicePrincipleName == "" {
		options.KerberosServicePrincipleName = "hdfs/_HOST"
	}
	switch protection := strings.ToLower(k.DataTransferProtection); protection {
	case "":
	case hadoop.DataTransferProtectionAuthentication, hadoop.DataTransferProtectionIntegrity, hadoop.DataTransferProtectionPrivacy:
		options.DataTransferProtection = protection
	default:
		return fmt.Errorf("data transfer protection %q: write authentication, integrity or privacy", k.DataTransferProtection)
	}
	return nil
}

// kerberosClient returns a client with credentials from a keytab or a ticket cache.
func kerberosClient(k Kerberos, env func(string) string) (*krb.Client, error) {
	configFile := first(k.Krb5Conf, env("KRB5_CONFIG"), "/etc/krb5.conf")
	config, err := krbconfig.Load(configFile)
	if err != nil {
		return nil, fmt.Errorf("read %s (set KRB5_CONFIG to use another): %w", configFile, err)
	}
	if k.Keytab != "" {
		return keytabClient(k, config)
	}
	cache := first(k.CCache, env("KRB5CCNAME"), "/tmp/krb5cc_"+strconv.Itoa(os.Getuid()))
	if kind, file, has := strings.Cut(cache, ":"); has {
		if kind != "FILE" {
			return nil, fmt.Errorf("ticket cache %q: only FILE caches can be read; use kinit -c FILE:/path, or a keytab", cache)
		}
		cache = file
	}
	tickets, err := credentials.LoadCCache(cache)
	if err != nil {
		return nil, fmt.Errorf("read the ticket cache %s (run kinit, or give a keytab): %w", cache, err)
	}
	client, err := krb.NewFromCCache(tickets, config, krb.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("use the ticket cache %s (run kinit again?): %w", cache, err)
	}
	return client, nil
}

// keytabClient logs in with a keytab.
func keytabClient(k Kerberos, config *krbconfig.Config) (*krb.Client, error) {
	if k.Principal == "" {
		return nil, errors.New("a keytab needs a principal (user@REALM)")
	}
	keys, err := keytab.Load(k.Keytab)
	if err != nil {
		return nil, fmt.Errorf("read the keytab %s: %w", k.Keytab, err)
	}
	name, realm, has := strings.Cut(k.Principal, "@")
	if !has {
		realm = config.LibDefaults.DefaultRealm
	}
	client := krb.NewWithKeytab(name, realm, keys, config, krb.DisablePAFXFAST(true))
	if err := client.Login(); err != nil {
		client.Destroy()
		return nil, fmt.Errorf("log in as %s with the keytab %s: %w", k.Principal, k.Keytab, err)
	}
	return client, nil
}
