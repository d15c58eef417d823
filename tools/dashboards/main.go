// Checks dashboards strictly, by Grafana's own types: a field that there is not, one that is missing, or one of another type is an error.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, path := range os.Args[1:] {
		// Without an error the types return an empty list, which is no nil.
		if err := check(path); err != nil && err.Error() != "" {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	found := dashboard.Dashboard{}
	if err := found.UnmarshalJSONStrict(content); err != nil && err.Error() != "" {
		return err
	}
	return found.Validate()
}
