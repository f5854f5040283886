package main

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kinds are all that deploy/ has, by version and name.
var kinds = map[string]func() any{
	"v1 ConfigMap":                       of[corev1.ConfigMap],
	"v1 Namespace":                       of[corev1.Namespace],
	"v1 PersistentVolumeClaim":           of[corev1.PersistentVolumeClaim],
	"v1 Service":                         of[corev1.Service],
	"batch/v1 Job":                       of[batchv1.Job],
	"networking.k8s.io/v1 NetworkPolicy": of[networkingv1.NetworkPolicy],
	"policy/v1 PodDisruptionBudget":      of[policyv1.PodDisruptionBudget],

	"cert-manager.io/v1 Certificate":                       of[other[certificate]],
	"cert-manager.io/v1 Issuer":                            of[other[issuer]],
	"jobset.x-k8s.io/v1alpha2 JobSet":                      of[other[jobSet]],
	"kubeflow.org/v1 PyTorchJob":                           of[other[pyTorchJob]],
	"monitoring.coreos.com/v1 PodMonitor":                  of[other[podMonitor]],
	"trainer.kubeflow.org/v1alpha1 ClusterTrainingRuntime": of[other[trainingRuntime]],
	"trainer.kubeflow.org/v1alpha1 TrainJob":               of[other[trainJob]],
}

func of[T any]() any { return new(T) }

// Objects of other projects, with the fields that deploy/ uses and no others; where they have pods or Jobs, those are
// Kubernetes' own. `make deploy-check` with KUBE_CRDS holds the objects against the definitions of the projects.
type other[Spec any] struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Spec `json:"spec"`
}

type jobSet struct {
	Suspend        bool            `json:"suspend"`
	Network        network         `json:"network"`
	SuccessPolicy  successPolicy   `json:"successPolicy"`
	FailurePolicy  failurePolicy   `json:"failurePolicy"`
	ReplicatedJobs []replicatedJob `json:"replicatedJobs"`
}

type network struct {
	EnableDNSHostnames       bool `json:"enableDNSHostnames"`
	PublishNotReadyAddresses bool `json:"publishNotReadyAddresses"`
}

type successPolicy struct {
	Operator             string   `json:"operator"`
	TargetReplicatedJobs []string `json:"targetReplicatedJobs"`
}

type failurePolicy struct {
	MaxRestarts int32 `json:"maxRestarts"`
}

type replicatedJob struct {
	Name     string                  `json:"name"`
	Replicas int32                   `json:"replicas"`
	Template batchv1.JobTemplateSpec `json:"template"`
}

type trainingRuntime struct {
	MLPolicy struct {
		NumNodes int32 `json:"numNodes"`
	} `json:"mlPolicy"`
	Template struct {
		Spec jobSet `json:"spec"`
	} `json:"template"`
}

type trainJob struct {
	RuntimeRef reference `json:"runtimeRef"`
}

type reference struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

type pyTorchJob struct {
	RunPolicy struct {
		CleanPodPolicy string `json:"cleanPodPolicy"`
		BackoffLimit   int32  `json:"backoffLimit"`
	} `json:"runPolicy"`
	PyTorchReplicaSpecs map[string]struct {
		Replicas      int32                  `json:"replicas"`
		RestartPolicy string                 `json:"restartPolicy"`
		Template      corev1.PodTemplateSpec `json:"template"`
	} `json:"pytorchReplicaSpecs"`
}

type issuer struct {
	SelfSigned *struct{} `json:"selfSigned"`
	CA         *struct {
		SecretName string `json:"secretName"`
	} `json:"ca"`
}

type certificate struct {
	IsCA        bool            `json:"isCA"`
	CommonName  string          `json:"commonName"`
	SecretName  string          `json:"secretName"`
	Duration    metav1.Duration `json:"duration"`
	RenewBefore metav1.Duration `json:"renewBefore"`
	URIs        []string        `json:"uris"`
	Usages      []string        `json:"usages"`
	IssuerRef   reference       `json:"issuerRef"`
	PrivateKey  struct {
		Algorithm      string `json:"algorithm"`
		Size           int    `json:"size"`
		Encoding       string `json:"encoding"`
		RotationPolicy string `json:"rotationPolicy"`
	} `json:"privateKey"`
}

type podMonitor struct {
	Selector            metav1.LabelSelector `json:"selector"`
	PodMetricsEndpoints []struct {
		Port      string `json:"port"`
		Scheme    string `json:"scheme"`
		TLSConfig struct {
			CA                 secretOr                 `json:"ca"`
			Cert               secretOr                 `json:"cert"`
			KeySecret          corev1.SecretKeySelector `json:"keySecret"`
			InsecureSkipVerify bool                     `json:"insecureSkipVerify"`
		} `json:"tlsConfig"`
		Relabelings []struct {
			TargetLabel string `json:"targetLabel"`
			Replacement string `json:"replacement"`
		} `json:"relabelings"`
	} `json:"podMetricsEndpoints"`
}

type secretOr struct {
	Secret corev1.SecretKeySelector `json:"secret"`
}
