package main

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/store"
	"byol/worker/data/turbo"
)

// verifyDataCommand is what `coordinator data verify` asks: images are judged by the decoder that trains.
func verifyDataCommand() *cobra.Command {
	var cfg store.Config
	var gib int
	cmd := &cobra.Command{Use: data.VerifyCommand + " URI", Args: cobra.ExactArgs(1),
		Short: "Decode every image, and name in JSON those that cannot be",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.CacheDir, cfg.CacheBytes = store.CacheAt(cfg.CacheDir), int64(gib)<<30
			images, err := store.Open(cmd.Context(), args[0], cfg,
				source.Options{CacheDir: cacheDir("index"), Patience: cfg.Patience})
			if err != nil {
				return err
			}
			defer images.Close()
			out := json.NewEncoder(cmd.OutOrStdout())
			var unheard error
			say := func(s data.Said) { unheard = errors.Join(unheard, out.Encode(s)) }
			decoder, _ := turbo.Best()
			bad, err := data.Verify(cmd.Context(), images, decoder, func(done, total int) {
				say(data.Said{Done: done, Total: total})
			})
			if err != nil {
				return err
			}
			for _, b := range bad {
				why := strings.TrimPrefix(b.Err.Error(), b.Name+": ")
				say(data.Said{Bad: &data.Verdict{Index: b.Index, Name: b.Name, Error: why, Ends: b.Ends}})
			}
			say(data.Said{Over: true})
			return unheard
		}}
	f := cmd.Flags()
	f.DurationVar(&cfg.Patience, "data-timeout", 2*time.Minute, "how long an image may take to be read")
	f.StringVar(&cfg.Endpoint, "s3-endpoint", "",
		"URL of the service that s3:// is of; default: AWS_ENDPOINT_URL, else Amazon's")
	f.StringVar(&cfg.CacheDir, "cache-dir", "", "where objects of stores are kept; default: the user's cache")
	f.IntVar(&gib, "cache-gib", 20, "how many GiB of them; 0: none")
	return cmd
}
