#!/usr/bin/env bash
# Builds a real kube-apiserver for comparison, from its Go modules, into bench/api/real/bin (not kept in the repository).
# Needs Go and some minutes; etcd comes from the system (Debian: etcd-server).
set -euo pipefail
cd "$(dirname "$0")"
version=${1:-1.34.1}
staging="api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator
  component-base component-helpers controller-manager cri-api cri-client csi-translation-lib dynamic-resource-allocation endpointslice
  externaljwt kms kube-aggregator kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils
  pod-security-admission sample-apiserver"
{
  echo "module serin.dev/bench/real"
  echo
  echo "go 1.24.0"
  echo
  echo "require k8s.io/kubernetes v$version"
  echo
  echo "replace ("
  for name in $staging; do echo "	k8s.io/$name => k8s.io/$name v0.${version#1.}"; done
  echo ")"
} > go.mod
cat > tools.go <<'GO'
//go:build tools

package real

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
GO
go mod tidy -e
mkdir -p bin
CGO_ENABLED=0 go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" -o bin/kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
ls -l bin
