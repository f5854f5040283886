package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// build is what kustomize makes of a folder.
func build(folder string) ([]byte, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	text, err := made.AsYaml()
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	return text, nil
}

// problems are what is wrong with the objects of a text, each beginning with the object's kind and name.
func problems(text []byte) []string {
	var wrong []string
	found := 0
	for documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(wrong, err.Error())
		}
		object, err := yaml.YAMLToJSONStrict(document)
		switch {
		case err != nil:
			wrong = append(wrong, err.Error())
		case string(object) != "null": // more than comments
			found++
			wrong = append(wrong, objectProblems(object)...)
		}
	}
	if found == 0 {
		wrong = append(wrong, "there are no objects")
	}
	return wrong
}

// objectProblems looks at one object.
func objectProblems(text []byte) []string {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		return []string{err.Error()}
	}
	name := head.Kind + " " + head.Metadata.Name
	kind := kinds[head.APIVersion+" "+head.Kind]
	if kind == nil {
		return []string{name + ": no kind is known that is called " + head.Kind + " of " + head.APIVersion}
	}
	object := kind()
	strict, err := json.UnmarshalStrict(text, object)
	if err != nil {
		return []string{name + ": " + err.Error()}
	}
	var wrong []string
	for _, e := range strict {
		wrong = append(wrong, name+": "+e.Error())
	}
	for _, pod := range templates(reflect.ValueOf(object)) {
		if why := unrestricted(pod); why != "" {
			wrong = append(wrong, name+": "+why)
		}
	}
	return wrong
}

// restricted is what the namespace asks of pods: the newest of Kubernetes' rules.
var restricted = api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}

// unrestricted says why the namespace would refuse pods of a template, "" where it would not.
func unrestricted(pod *corev1.PodTemplateSpec) string {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err.Error()
	}
	results := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
	if results.Allowed {
		return ""
	}
	return "the pods are not restricted: " + results.ForbiddenDetail()
}

// templates are the templates of pods anywhere in an object.
func templates(v reflect.Value) []*corev1.PodTemplateSpec {
	var found []*corev1.PodTemplateSpec
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = templates(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			found = append(found, templates(v.Index(i))...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			found = append(found, templates(v.MapIndex(key))...)
		}
	case reflect.Struct:
		if pod, ok := v.Interface().(corev1.PodTemplateSpec); ok {
			return []*corev1.PodTemplateSpec{&pod}
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !strings.HasPrefix(f.Type.PkgPath(), "time") {
				found = append(found, templates(v.Field(i))...)
			}
		}
	default: // numbers and texts
	}
	return found
}
