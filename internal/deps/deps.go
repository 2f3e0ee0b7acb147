// Package deps pins dependencies while the packages that use them are being written.
package deps

import (
	_ "github.com/apache/iceberg-go/catalog/hive"
	_ "github.com/apache/iceberg-go/catalog/rest"
	_ "github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/config"
	_ "github.com/aws/aws-sdk-go-v2/credentials"
	_ "github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/aws/smithy-go"
	_ "github.com/colinmarc/hdfs/v2"
	_ "github.com/colinmarc/hdfs/v2/hadoopconf"
	_ "github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/jcmturner/gokrb5/v8/client"
	_ "github.com/jcmturner/gokrb5/v8/config"
	_ "github.com/jcmturner/gokrb5/v8/credentials"
	_ "github.com/jcmturner/gokrb5/v8/keytab"
	_ "github.com/jcmturner/gokrb5/v8/spnego"
	_ "go.yaml.in/yaml/v3"
)
